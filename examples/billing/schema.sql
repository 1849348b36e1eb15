CREATE SCHEMA billing;
CREATE TABLE billing.setting (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE billing.book (month text PRIMARY KEY, closed_at timestamptz);
CREATE TABLE billing.entry (batch text, month text REFERENCES billing.book, account text, amount bigint);
CREATE TABLE billing.staged (LIKE billing.entry);
INSERT INTO billing.setting VALUES ('posting', 'off');
INSERT INTO billing.book VALUES ('2026-10');
INSERT INTO billing.staged VALUES ('2026-10-b', '2026-10', 'fees', 40), ('2026-10-b', '2026-10', 'cash', -40);
