"""What the users do: one Locust file for each scenario.

Locust can also run a scenario by itself, against any server that keeps the contract:
`locust -f scenarios/hello.py --host http://127.0.0.1:8000`.
"""
