REVOKE ALL ON SCHEMA cutter_ledger FROM :role;
REVOKE ALL ON ALL TABLES IN SCHEMA cutter_ledger FROM :role;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cutter_ledger FROM :role;
GRANT USAGE ON SCHEMA cutter_ledger TO :role;
GRANT EXECUTE ON FUNCTION cutter_ledger.identity(), cutter_ledger.line(bigint), cutter_ledger.lines(),
  cutter_ledger.lines_of(text, text, text[]), cutter_ledger.hold(text), cutter_ledger.begin(jsonb),
  cutter_ledger.finish(jsonb, text), cutter_ledger.note(jsonb), cutter_ledger.attest(bigint, text) TO :role;
