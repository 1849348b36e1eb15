  -- What the run turned a switch to last, by the ledger's own time: on is honoured for so long, whatever its row says. On counts from its
  -- start, however that ended; off counts only where it was done: not what was but begun, failed, or noted by somebody.
  IF EXISTS (
    SELECT FROM (
      SELECT DISTINCT ON (turned.flag) turned.flag, turned.value, turned.at
        FROM cutter_ledger.records l, LATERAL (SELECT cutter_ledger.said(l.line)) s(said),
          LATERAL (SELECT s.said #>> '{decision,row,work,flag}', s.said #>> '{decision,row,work,to}', l.line::jsonb->>'time')
            turned(flag, value, at)
        WHERE cutter_ledger.subject(l.line) = the_run AND s.said->>'kind' = 'started' AND s.said #>> '{decision,row,work,kind}' = 'flag'
          AND ((turned.flag, turned.value) IN (:on) OR EXISTS (
            SELECT FROM cutter_ledger.records e WHERE cutter_ledger.subject(e.line) = the_run
              AND cutter_ledger.said(e.line)->>'kind' = 'finished' AND cutter_ledger.said(e.line)->>'exit_status' = '0'
              AND cutter_ledger.said(e.line)->>'started' = l.sequence::text))
        ORDER BY turned.flag, l.sequence DESC
    ) latest
    WHERE (latest.flag, latest.value) IN (:on) AND latest.at::timestamptz < clock_timestamp() - interval ':seconds seconds'
  ) THEN
    RAISE EXCEPTION '% is not called: the run turned a switch on more than :seconds seconds ago', work[1] USING ERRCODE = '42501',
      HINT = 'The switch is to be off by now: `cutter guard` turns it off.';
  END IF;
