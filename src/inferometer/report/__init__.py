"""Tables, charts and pages for people; everything here only reads finished records."""
