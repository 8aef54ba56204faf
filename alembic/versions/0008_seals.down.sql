DROP TABLE verifications, sealing, seals, seal_links;
