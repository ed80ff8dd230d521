-- What the customers of each segment, as they are now, bought in each month.
SELECT
  CAST(DATE_TRUNC('MONTH', o.happened_at) AS DATE) AS month_begin,
  c.segment_id,
  MAX(c.segment_name) AS segment_name,
  COUNT(DISTINCT o.customer_id) AS buyers,
  SUM(o.revenue) AS revenue
FROM latest_orders AS o
JOIN latest_customers AS c
  ON c.customer_id = o.customer_id
GROUP BY CAST(DATE_TRUNC('MONTH', o.happened_at) AS DATE), c.segment_id
