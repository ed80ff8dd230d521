-- How many customers each segment had on each day, and what they are worth.
SELECT
  c.date,
  c.segment_id,
  MAX(c.segment_name) AS segment_name,
  COUNT(*) AS customer_count,
  AVG(c.churn_probability) AS churn_probability,
  AVG(c.expected_ltv) AS expected_ltv
FROM customers AS c
JOIN whole_days AS w
  ON w.table_name = 'customers' AND w.date = c.date
WHERE c.segment_id IS NOT NULL
GROUP BY c.date, c.segment_id
