-- How many moved from which segment to which on each day, and why.
SELECT
  CAST(m.happened_at AS DATE) AS moved_on,
  m.from_segment_id,
  m.to_segment_id,
  m.cause,
  COUNT(*) AS moves
FROM moves AS m
JOIN whole_days AS w
  ON w.table_name = 'moves' AND w.date = m.date
WHERE m.type = 'segment'
GROUP BY CAST(m.happened_at AS DATE), m.from_segment_id, m.to_segment_id, m.cause
