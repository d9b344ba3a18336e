"""How often the detectors would page for nothing, and what they would find, at which thresholds.

A floor's history (`history`: an organisation's own, or a seeded one in which nothing is wrong) is judged hour by hour
by the very functions that judge live (`walk`); trouble is then planted into it (`trouble`), and both are counted for
every threshold (`curve`), beside the raw thresholds that most tools page by (`raw`).
"""
