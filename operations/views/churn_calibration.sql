-- Of buyers by tenths of the churn that was predicted for them, the mean of the predictions beside the share that churned.
SELECT
  date,
  CASE WHEN churn_probability >= 1 THEN 9 ELSE FLOOR(churn_probability * 10) END AS tenth,
  COUNT(*) AS buyers,
  AVG(churn_probability) AS predicted,
  AVG(CASE WHEN lines_bought > 0 THEN 0.0 ELSE 1.0 END) AS came_true
FROM outcomes_30d
WHERE churn_probability IS NOT NULL AND orders_lifetime > 0
GROUP BY date, CASE WHEN churn_probability >= 1 THEN 9 ELSE FLOOR(churn_probability * 10) END
