DROP TABLE verifications, seals, seal_links;
