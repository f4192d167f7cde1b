//! What every reconciler needs: watches, leases, backoff, events, processes, redaction.
