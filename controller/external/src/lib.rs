//! ExternalSecret to Secret, from AWS Secrets Manager.
