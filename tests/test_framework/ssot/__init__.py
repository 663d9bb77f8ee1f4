"""The single source of base classes and factories for tests of the gateway."""
