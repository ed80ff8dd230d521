-- Every line that was bought or paid back, as of the last date that is whole; refunds are negative.
SELECT
  o.customer_id,
  o.line_id,
  o.happened_at,
  o.type,
  o.order_code,
  o.product_code,
  o.category,
  o.brand_code,
  CASE WHEN o.type = 'refund' THEN -o.amount ELSE o.amount END AS revenue
FROM orders AS o
JOIN whole_days AS w
  ON w.table_name = 'orders' AND w.date = o.date AND w.date = w.latest_date
