CREATE SCHEMA cutter_guard AUTHORIZATION :owner;
-- Lets a call go on, or ends it: the ledger must hold the start of this very work in this very transaction, not ended yet, written by
-- somebody whom the session cannot become. No session chooses the number of its transaction.
CREATE FUNCTION cutter_guard.pass(VARIADIC work text[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $cutter$
DECLARE
  the_run text;
BEGIN
  SELECT cutter_ledger.said(r.line)->>'run' INTO the_run FROM cutter_ledger.tokens t
    JOIN cutter_ledger.records r ON r.sequence = t.sequence
    JOIN pg_roles w ON w.rolname = r.line::jsonb->>'by'
    WHERE cutter_ledger.said(r.line)->>'kind' = 'started'
      AND cutter_ledger.said(r.line)->>'transaction' = pg_current_xact_id_if_assigned()::text
      AND cutter_ledger.said(r.line) #>> '{decision,row,work,function}' = ANY (work)
      AND NOT pg_has_role(session_user, w.oid, 'MEMBER')
      AND NOT EXISTS (SELECT FROM cutter_ledger.records v WHERE cutter_ledger.subject(v.line) = cutter_ledger.said(r.line)->>'run'
        AND cutter_ledger.said(v.line)->>'kind' = 'voided');
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is called by nobody but a run that the ledger lets begin', work[1] USING ERRCODE = '42501',
      HINT = 'A plan names it, approvals open what bars it, and `cutter run` or `cutter exec` calls it.';
  END IF;
:expiry END $cutter$;
ALTER FUNCTION cutter_guard.pass(text[]) OWNER TO :owner;
GRANT USAGE ON SCHEMA cutter_guard TO PUBLIC;
GRANT EXECUTE ON FUNCTION cutter_guard.pass(text[]) TO PUBLIC;
