//! Shared by the integration tests in `tests/`.
