from security.fixtures import issuer, no_threads_left

__all__ = ["issuer", "no_threads_left"]
