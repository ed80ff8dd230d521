-- The dates of each table that are whole. All other views read these alone.
SELECT
  table_name,
  date,
  snapshot_at,
  row_count,
  MAX(date) OVER (PARTITION BY table_name) AS latest_date
FROM snapshots
