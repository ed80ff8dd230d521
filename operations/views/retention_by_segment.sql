-- Of the buyers in each segment on each day, the share that bought again within 30 days, and what a customer spent.
SELECT
  date,
  segment_id,
  MAX(segment_name) AS segment_name,
  COUNT(*) AS buyers,
  AVG(CASE WHEN lines_bought > 0 THEN 1.0 ELSE 0.0 END) AS retained_share,
  AVG(revenue) AS revenue_a_buyer
FROM outcomes_30d
WHERE orders_lifetime > 0 AND segment_id IS NOT NULL
GROUP BY date, segment_id
