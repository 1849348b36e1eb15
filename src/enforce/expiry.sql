  -- What the run turned a switch to last, by the ledger's own time: on is honoured for so long, whatever its row says.
  IF EXISTS (
    SELECT FROM (
      SELECT DISTINCT ON (coalesce(s.said #>> '{decision,row,work,flag}', s.said->>'flag'))
          s.said #>> '{decision,row,work,flag}' AS flag, s.said #>> '{decision,row,work,to}' AS value, l.line::jsonb->>'time' AS at
        FROM cutter_ledger.records l, LATERAL (SELECT cutter_ledger.said(l.line)) s(said)
        WHERE cutter_ledger.subject(l.line) = the_run
          AND (s.said #>> '{decision,row,work,kind}' = 'flag' OR s.said->>'kind' = 'switched_off')
        ORDER BY coalesce(s.said #>> '{decision,row,work,flag}', s.said->>'flag'), l.sequence DESC
    ) latest
    WHERE (latest.flag, latest.value) IN (:on) AND latest.at::timestamptz < clock_timestamp() - interval ':seconds seconds'
  ) THEN
    RAISE EXCEPTION '% is not called: the run turned a switch on more than :seconds seconds ago', work[1] USING ERRCODE = '42501',
      HINT = 'The switch is to be off by now: `cutter guard` turns it off.';
  END IF;
