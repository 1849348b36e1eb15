REVOKE ALL ON SCHEMA cutter_ledger FROM :role;
REVOKE ALL ON ALL TABLES IN SCHEMA cutter_ledger FROM :role;
GRANT USAGE ON SCHEMA cutter_ledger TO :role;
GRANT SELECT ON cutter_ledger.ledger, cutter_ledger.uses, cutter_ledger.runs, cutter_ledger.journal,
  cutter_ledger.attestations TO :role;
GRANT INSERT (approval_sha256, action, approval_id, gate, run, "time", principal) ON cutter_ledger.uses TO :role;
GRANT INSERT (run, plan_sha256, "time") ON cutter_ledger.runs TO :role;
GRANT INSERT (sequence, run, "time", record) ON cutter_ledger.journal TO :role;
GRANT INSERT (sequence, statement) ON cutter_ledger.attestations TO :role;
