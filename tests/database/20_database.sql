-- The database, alone in its file because CREATE DATABASE takes no company. Its owner thereby owns schema `public`.
CREATE DATABASE directus OWNER directus;
