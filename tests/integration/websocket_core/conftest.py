from security.fixtures import provider

__all__ = ["provider"]
