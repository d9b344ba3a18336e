"""The five KPIs, each a pure function of merged cells, a calendar and an instant."""
