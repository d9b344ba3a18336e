"""The gateway: what webhooks of CRMs and telephone systems are pointed at. Deliveries become events on Kafka.

``receiving`` is the way of one delivery; ``intake`` is what pollers use as well: results of a translator are made
events of known people and handed to the ``outlet``, which has them acknowledged by Kafka or written to the ``spool``.
"""
