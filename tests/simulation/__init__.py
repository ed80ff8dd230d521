"""A world in which the whole system runs from one seed: every handler over an AWS in memory, with everything that goes
wrong in between, and an auditor who compares what is left with what should be.

    python -m tests.simulation --seed 7           plays one seed and says what the auditor found
    python -m tests.simulation --seed 7 --trace   the same, with every call and what became of it
    python -m tests.simulation --seeds 2000       plays many, on all processors

One seed settles everything: what people do, who goes on when, what fails, when somebody is killed, how clocks move and
models change. The functions are the real ones and so are boto3's clients, whose calls end here rather than in HTTP.

| module | holds |
|---|---|
| `expressions`, `table`, `objects`, `queues`, `cloud` | AWS in memory, held against moto by test_cloud.py |
| `release`, `workers`, `faults` | the code under test in containers, its invocations, and what goes wrong with calls |
| `sources`, `machines`, `world` | what invokes functions, when, and how often; the clock |
| `people`, `story` | what people do, and the story of one seed |
| `truth`, `auditor`, `privacy` | what should have come of it, and every difference |
| `bugs` | bugs planted to see whether the auditor does |
"""
