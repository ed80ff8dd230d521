-- What came true: of everybody of each day that is 30 days past, who bought within the 30 days after it, and for how much.
SELECT
  c.date,
  c.customer_id,
  c.segment_id,
  c.segment_name,
  c.churn_probability,
  c.orders_lifetime,
  COUNT(CASE WHEN o.type = 'purchase' THEN 1 END) AS lines_bought,
  COALESCE(SUM(o.revenue), 0) AS revenue
FROM customers AS c
JOIN whole_days AS w
  ON w.table_name = 'customers' AND w.date = c.date
JOIN whole_days AS n
  ON n.table_name = 'orders' AND n.date = n.latest_date AND n.snapshot_at >= c.snapshot_at + INTERVAL '30' DAY
LEFT JOIN latest_orders AS o
  ON o.customer_id = c.customer_id
  AND o.happened_at >= c.snapshot_at
  AND o.happened_at < c.snapshot_at + INTERVAL '30' DAY
GROUP BY
  c.date, c.customer_id, c.segment_id, c.segment_name, c.churn_probability, c.orders_lifetime
