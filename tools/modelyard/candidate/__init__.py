"""The model in this checkout: trained, scored, evaluated, compared with the champion."""
