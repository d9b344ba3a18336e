"""CRMs and telephone systems: what they send, as events of ours. Pure.

One module per system translates: in ``crm``, in ``phones``, and in ``formats`` for whatever speaks an open format.
``contract`` says what a translator and a proof are, ``reading`` and ``proofs`` are what they share, ``registry``
lists all systems.
"""
