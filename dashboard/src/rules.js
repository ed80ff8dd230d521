// Rules that are a list of conditions, as rows of a form and as text. What is more than that stays a text.
const CONDITION = /^([A-Za-z_][\w.]*)\s*(<=|>=|<>|=|<|>)\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?)$/;
const NULL = /^([A-Za-z_][\w.]*)\s+(is null|is not null)$/i;

export const OPERATORS = ["=", "<>", ">", ">=", "<", "<=", "is null", "is not null"];

// The parts of a text between words, outside of quotes and brackets.
function split(text, word) {
  const parts = [""];
  let quoted = false;
  let depth = 0;
  for (let i = 0; i < text.length; i += 1) {
    const one = text[i];
    if (one === "'") quoted = !quoted;
    if (!quoted && one === "(") depth += 1;
    if (!quoted && one === ")") depth -= 1;
    const here = text.slice(i, i + word.length + 2);
    if (!quoted && depth === 0 && here.toLowerCase() === ` ${word} `) {
      parts.push("");
      i += word.length + 1;
    } else {
      parts[parts.length - 1] += one;
    }
  }
  return parts.map((part) => part.trim());
}

// {joined: "and" | "or", rows: [{field, operator, value}]}, or null where the rule is more than that.
export function read(text) {
  const flat = text.replace(/\s+/g, " ").trim();
  if (!flat) return { joined: "and", rows: [] };
  const ands = split(flat, "and");
  const ors = split(flat, "or");
  if (ands.length > 1 && ors.length > 1) return null;
  const rows = (ors.length > 1 ? ors : ands).map(condition);
  return rows.every(Boolean) ? { joined: ors.length > 1 ? "or" : "and", rows } : null;
}

function condition(text) {
  const isNull = NULL.exec(text);
  if (isNull) return { field: isNull[1], operator: isNull[2].toLowerCase(), value: "" };
  const found = CONDITION.exec(text);
  if (!found) return null;
  const [, field, operator, given] = found;
  return { field, operator, value: given.startsWith("'") ? given.slice(1, -1).replaceAll("''", "'") : given, text: given.startsWith("'") };
}

export function write({ joined, rows }) {
  return rows.filter((row) => row.field).map((row) => {
    if (row.operator.startsWith("is")) return `${row.field} ${row.operator}`;
    const isNumber = !row.text && /^-?\d+(\.\d+)?$/.test(row.value);
    return `${row.field} ${row.operator} ${isNumber ? row.value : `'${row.value.replaceAll("'", "''")}'`}`;
  }).join(` ${joined} `);
}
