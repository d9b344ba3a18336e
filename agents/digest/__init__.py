"""The daily mail to each manager: rendered, sent once, on working days."""
