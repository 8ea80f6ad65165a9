"""The cities that the weather service knows, with the weather in each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TEMPERATURES_C: Mapping[str, float] = MappingProxyType(
    {
        "Accra": 30.5,
        "Athens": 24.0,
        "Bogotá": 14.5,
        "Cairo": 31.0,
        "Dublin": 11.5,
        "Hanoi": 28.5,
        "Helsinki": 4.0,
        "Kraków": 9.5,
        "Lima": 19.0,
        "Nairobi": 21.5,
        "Nuuk": -6.5,
        "Oslo": 3.5,
        "Perth": 26.0,
        "Reykjavík": 2.0,
        "San José": 23.5,
        "São Paulo": 22.5,
        "Tbilisi": 15.0,
        "Ulaanbaatar": -12.0,
        "Zürich": 8.5,
        "東京": 17.5,
    }
)

BROKEN_CITY = "Pompeii"  # the service always fails for this city
LATE_CITY = "Brigadoon"  # the service answers for this city only after LATE_S
LATE_S = 10.0
