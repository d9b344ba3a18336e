"""CRMs and telephone systems: what they send, as events of ours. Pure.

One module per system translates (in ``crm``, ``phones``, and ``formats`` for whatever speaks an open format); ``contract`` is what they have
in common, ``reading`` and ``proofs`` are what they share, ``registry`` lists them all.
"""
