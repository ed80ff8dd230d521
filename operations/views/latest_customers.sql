-- Everybody as of the last date that is whole.
SELECT c.*
FROM customers AS c
JOIN whole_days AS w
  ON w.table_name = 'customers' AND w.date = c.date AND w.date = w.latest_date
