from security.fixtures import issuer, no_threads_left, provider

__all__ = ["issuer", "no_threads_left", "provider"]
