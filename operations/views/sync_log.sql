-- What became of what was sent, by destination and day: the last state of each delivery counts.
SELECT
  destination,
  CAST(happened_at AS DATE) AS happened_on,
  state,
  COUNT(*) AS deliveries,
  SUM(attempts) AS attempts
FROM (
  SELECT
    d.destination,
    d.happened_at,
    d.state,
    d.attempts,
    ROW_NUMBER() OVER (
      PARTITION BY d.customer_id, d.destination, d.transition_id ORDER BY d.updated_at DESC
    ) AS newest
  FROM deliveries AS d
  JOIN whole_days AS w
    ON w.table_name = 'deliveries' AND w.date = d.date
) AS states
WHERE newest = 1
GROUP BY destination, CAST(happened_at AS DATE), state
