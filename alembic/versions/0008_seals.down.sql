DROP TABLE seals, seal_links;
