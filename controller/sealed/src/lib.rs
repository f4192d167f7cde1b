//! SealedSecret to Secret, and the life of the sealing keys.
