"""Mixed fleets: how many replicas of which kind serve which requests in every slot of a period."""
