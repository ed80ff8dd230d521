"""report.html: one self-contained page on a bundle, for a marketer and a data scientist."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from shared.models.labels import ACTIONS, NO_ACTION, intents_of, own_intents
from shared.models.manifests import is_probability, is_uplift
from training.prediction.holdout import Holdout
from training.report import plots
from training.report.findings import Findings
from training.report.tables import Cell, bar, dot, heat_map, importance_table, promises, segment_table, table

TITLES = {"churn": "Who is about to leave", "conversion": "Who is about to buy", "ltv": "Who will be worth most"}
COUNTED = {"churn": "leaving customers", "conversion": "buyers", "ltv": "spend"}
"""What is counted where customers are approached in the order of a prediction."""
RULES = {
    "dormant": ("no visit for {dormant_days:.0f} days",),
    "likely_to_convert": ("probability of buying at least {likely_to_convert:.1%}",),
    "high_value_newcomer": (
        "first seen at most {newcomer_days:.0f} days ago",
        "expected value at least {high_value:,.0f}",
    ),
    "likely_to_churn": ("probability of leaving at least {likely_to_churn:.1%}",),
    "loyal": ("at least {loyal_orders:.0f} orders within a year",),
}
NOTES = {
    "spearman": "rank correlation",
    "auc": "AUC: 0.5 is chance, 1 is perfect",
    "qini": "Qini coefficient: 0 is chance",
}
"""What the figure of a target's tile means."""
TENTH = 0.1


def report(about: Mapping[str, Any], findings: Findings, why: str) -> str:
    """The page for the manifest `about`; `why` is what `report_reasons` has to say."""
    sections = {
        "Segments": _segments(about, findings),
        "Profiles": _profiles(about, findings),
        "Map": _map(about, findings),
        "Moves": _moves(about),
        "Predictions": _predictions(about, findings),
        "Reasons": why,
        "Actions": _actions(about, findings),
        "Choice": _choice(findings),
        "Proof": _proof(about),
        "Origin": _origin(about),
    }
    sections = {name: content for name, content in sections.items() if content}
    links = "".join(f'<li><a href="#{name.lower()}">{name}</a></li>' for name in sections)
    body = "\n".join(f'<section id="{name.lower()}">{content}</section>' for name, content in sections.items())
    style = Path(__file__).with_suffix(".css").read_text()
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Customer segments: bundle {escape(about['bundle_id'])}</title>"
        f'<link rel="icon" href="data:,"><style>\n{style}</style></head>\n<body>\n{_header(about)}\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{body}\n</main>\n'
        f"<footer><p>Made by Tessera as it trained the bundle <code>{escape(about['bundle_id'])}</code>.</p></footer>\n"
        "</body></html>\n"
    )


def _header(about: Mapping[str, Any]) -> str:
    events = about["events"]
    tiles = []
    tiles.append(("customers", f"{sum(s['size'] for s in about['segments']):,}", f"{events['rows']:,} events"))
    tiles.append(("segments", str(len(about["segments"])), f"{about['segmentation']['micro_segments']} micro-segments"))
    for name, target in about["targets"].items():
        value = "left out"
        note = "the reason is below"
        if target["trained"]:
            metric = next(name for name in NOTES if name in target["metrics"])
            number = target["metrics"][metric]
            value = "-" if number is None else f"{number:.3f}"
            note = NOTES[metric]
        tiles.append((TITLES.get(name, name).lower(), value, note))
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )
    return (
        "<header><h1>Customer segments and predictions</h1>"
        f'<p class="lead">What was learnt from {_day(events["first"])} to {_day(events["last"])}, as of'
        f" {_day(about['as_of'])}. Bundle <code>{escape(about['bundle_id'])}</code>.</p>"
        f'<dl class="tiles">{shown}</dl></header>'
    )


def _segments(about: Mapping[str, Any], findings: Findings) -> str:
    return (
        "<h2>Segments</h2><p>Customers who behave alike, found without being told what to look for. A name is true"
        " of two in three of its customers at least, each by what they did; it is a suggestion and may be edited.</p>"
        + segment_table(about["segments"])
    )


def _profiles(about: Mapping[str, Any], findings: Findings) -> str:
    return (
        "<h2>What is typical of each</h2><p>The middle customer of every segment, of shares the mean, in the figures"
        " that tell the segments apart most. Blue (▲) is above the average customer, orange (▼) below; the stronger,"
        " the farther.</p>" + heat_map(about["segments"], findings.heights)
    )


def _map(about: Mapping[str, Any], findings: Findings) -> str:
    drawn = plots.customer_map(findings.points, findings.segment, findings.explained)
    legend = "".join(f"<li>{dot(s['id'])}{s['id']} {escape(s['name'])}</li>" for s in about["segments"])
    return (
        "<h2>Map of the customers</h2><p>Each dot is a customer, close to those who behave alike. The two axes are"
        " the combinations of figures in which customers differ most; together they tell"
        f" {sum(findings.explained):.0%} of all differences, so segments that overlap here may lie apart in another"
        " direction.</p>"
        f'<figure>{drawn}<ul class="legend">{legend}</ul></figure>'
    )


def _choice(findings: Findings) -> str:
    rows = [row for row in findings.leaderboard if row["task"] == "segments"]
    return (
        "<h2>How the segments were chosen</h2><p>Everything that was tried. Silhouette says how clearly the segments"
        " are separated (up to 1), stability how far the same customers end up together when the data is drawn again"
        " (1 is always); of Davies-Bouldin less is better, of Calinski-Harabasz more. Noise is the share that fits no"
        " segment, fidelity how far what is deployed agrees with the algorithm.</p>" + _leaderboard(rows)
    )


def _predictions(about: Mapping[str, Any], findings: Findings) -> str:
    return (
        "<h2>Predictions</h2><p>Measured on the latest stretch of time whose outcome is known, by models that had"
        " only seen what came before it.</p>"
        + "".join(_prediction(name, target, findings) for name, target in about["targets"].items())
    )


def _prediction(name: str, target: Mapping[str, Any], findings: Findings) -> str:
    title = (
        f"<h3>{escape(TITLES.get(name, name))}</h3><p class='caption'>{escape(name)}: {escape(target['meaning'])}</p>"
    )
    if not target["trained"]:
        return f"<article>{title}<p>Left out: {escape(target['reason'])}.</p></article>"
    if is_uplift(target["output"]):
        return f"<article>{title}{_uplift(target)}</article>"
    held = findings.holdouts[name]
    what = COUNTED.get(name, "what happened")
    probability = is_probability(target["output"])
    figures = [
        (plots.gains(held.predicted, held.y, what), "The farther above the dashed line, the better the order."),
        (
            plots.tenths(held.predicted, held.y, probability),
            "A good prediction falls from left to right; above each bar, how many times the average.",
        ),
        (
            plots.calibration(held.predicted, held.y, probability),
            "On the dashed line, what was predicted is what happened. Bars: where the truth lies 19 times in 20.",
        ),
    ]
    shown = "".join(f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>" for drawn, caption in figures)
    rows = [row for row in findings.leaderboard if row["task"] == name]
    measured = "AUC" if probability else "rank correlation"
    return (
        f'<article>{title}<p>{_headline(name, held, probability)}</p><div class="figures">{shown}</div>'
        f"<h4>What it rests on</h4>{importance_table(findings.importance[name], measured)}"
        '<p class="caption">Figures that tell the same share their weight: each may matter more than its bar says.</p>'
        f"<details><summary>All models that were tried</summary>{_leaderboard(rows)}</details></article>"
    )


def _uplift(target: Mapping[str, Any]) -> str:
    """What a campaign changed, and how well whom it changes most is told."""
    effect, metrics = target["effect"], target["metrics"]
    ranking = f"{metrics['qini']:.3f}, {metrics['qini_low']:.3f} to {metrics['qini_high']:.3f}"
    return (
        f"<p>Being approached changed it by <strong>{effect['value']:+.2%}</strong> of the customers"
        f" ({effect['low']:+.2%} to {effect['high']:+.2%}), of {target['approached']:,} who were and"
        f" {target['held_back']:,} who were held back by lot. Ranked by the prediction, of customers"
        " whom its models did not know, the Qini coefficient is"
        f" <strong>{escape(ranking)}</strong> (95 %); 0 is a ranking by chance.</p>"
    )


def _headline(name: str, held: Holdout, probability: bool) -> str:
    order = np.argsort(-held.predicted, kind="stable")
    top = order[: max(1, round(len(order) * TENTH))]
    total = np.maximum(held.y, 0).sum()
    share = np.maximum(held.y[top], 0).sum() / total if total else 0.0
    tenth = f"The tenth of the {len(order):,} customers with the highest prediction"
    if not probability:
        return f"{tenth} brought <strong>{share:.0%}</strong> of all {COUNTED.get(name, 'of it')}."
    happened = held.y[top].mean()
    usual = held.y.mean()
    times = f", {happened / usual:.1f} times the average of {usual:.1%}" if usual else ""
    return (
        f"{tenth} holds <strong>{share:.0%}</strong> of the {COUNTED.get(name, 'cases')}: it happened for"
        f" <strong>{happened:.1%}</strong> of them{times}."
    )


def _actions(about: Mapping[str, Any], findings: Findings) -> str:
    total = sum(findings.intents.values())
    rows: list[list[Cell]] = []
    for intent in intents_of(about):
        count = findings.intents.get(intent, 0)
        action = about.get("actions", {}).get(intent) or {"key": ACTIONS.get(intent, NO_ACTION)}
        advice = ": ".join(filter(None, (action.get("title"), action.get("description")))) or action["key"]
        shown = f"{count:,}", f"{count / total:.1%}"
        rows.append([intent.replace("_", " "), _rule(intent, about), *shown, advice, action.get("channel", "")])
    return (
        "<h2>What to do with whom</h2><p>Every customer has one intent, the first that fits, and with it the next best"
        " action.</p>" + table(["intent", "who", "customers", "share", "action", "channel"], rows) + promises(about)
    )


def _moves(about: Mapping[str, Any]) -> str:
    """What became of the previous bundle's segments, where there was one."""
    identity = about.get("identity") or {}
    if not identity.get("previous"):
        return ""
    names = {segment["id"]: segment["name"] for segment in about["segments"]}

    def listed(ids: Sequence[int]) -> str:
        return " and ".join(f"{i} {names.get(i, '(gone)')}" for i in ids)

    changes = [["new", listed([i])] for i in identity["new"]] + [["gone", str(i)] for i in identity["gone"]]
    changes += [["came apart", f"{listed([one['from']])} into {listed(one['into'])}"] for one in identity["splits"]]
    changes += [["came together", f"{listed(one['from'])} in {listed([one['into']])}"] for one in identity["merges"]]
    moved = identity["moved"]
    shares = "".join(
        f'<tr><th scope="row">{who}</th><td>{bar(share, f"{share:.1%}")}</td></tr>'
        for who, share in (("stay", 1 - moved), ("move", moved))
    )
    return (
        "<h2>Who moves</h2><p>Of today's customers, the share whose segment is another than by the bundle before,"
        f" <code>{escape(identity['previous'])}</code>. Segments that go on keep their number and name.</p>"
        '<div class="wide"><table><thead><tr><th scope="col">customers who</th><th scope="col">share</th></tr></thead>'
        f"<tbody>{shares}</tbody></table></div>" + (table(["segments that", "which"], changes) if changes else "")
    )


def _rule(intent: str, about: Mapping[str, Any]) -> str:
    """Who has the intent, and where it was measured, how often that is right."""
    try:
        if (output := own_intents(about).get(intent)) is not None:
            form = ".1%" if is_probability(output) else ",.2f"
            rule = f"{output.replace('_', ' ')} at least {about['thresholds'][intent]:{form}}"
        else:
            rule = " and ".join(part.format(**about["thresholds"]) for part in RULES[intent])
    except KeyError:
        return "everyone else" if intent == "steady" else "nobody: the bundle lacks the prediction"
    reached = (target.get("thresholds", {}).get(intent, {}) for target in about["targets"].values())
    right = next((figures["precision"] for figures in reached if "precision" in figures), None)
    return rule if right is None else f"{rule}; right for {right:.0%} of them"


def _leaderboard(rows: list[Mapping[str, Any]]) -> str:
    figures = [
        key for key in dict.fromkeys(key for row in rows for key in row) if key not in ("task", "candidate", "chosen")
    ]
    chosen = next((i for i, row in enumerate(rows) if row["chosen"]), None)
    cells = [
        [f"{row['candidate']}{' (chosen)' * row['chosen']}", *(_figure(row.get(key)) for key in figures)]
        for row in rows
    ]
    return table(["candidate", *(key.replace("_", " ") for key in figures)], cells, chosen=chosen)


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:,.4g}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _proof(about: Mapping[str, Any]) -> str:
    gate = about["gate"]
    rows = [[name.replace("_", " "), f"{value:.1e}"] for name, value in gate["differences"].items()]
    return (
        "<h2>The proof that it decides as trained</h2><p>What is deployed was compared with the models it was made"
        f" from on <strong>{gate['rows']:,}</strong> rows: all that were trained on, and rows made to be difficult."
        f" <strong>{gate['flips']:,}</strong> changed their segment; {gate['ties']:,} lie exactly between two.</p>"
        + table(["output", "largest difference"], rows)
    )


def _origin(about: Mapping[str, Any]) -> str:
    events = about["events"]
    rows = [
        ["events", f"{events['rows']:,} of {events['customers']:,} customers, {events['first']} to {events['last']}"],
        ["hash of the events", events["hash"]],
        ["as of", about["as_of"]],
        ["features", f"{len(about['features'])}, hash {about['feature_set_hash']}"],
        ["versions", ", ".join(f"{name} {version}" for name, version in about["versions"].items())],
        ["seed", str(about["seed"])],
    ]
    for name, target in about["targets"].items():
        if "holdout" in target:
            rows.append([f"{name} judged on", f"{target['holdout']['from']} to {target['holdout']['until']}"])
    options = [[name, str(value)] for name, value in about["config"].items()]
    return (
        f"<h2>Where it comes from</h2>{table(['of the bundle', ''], rows)}"
        f"<details><summary>All options</summary>{table(['option', 'value'], options)}</details>"
    )


def _day(time: str) -> str:
    return escape(time[:10])
