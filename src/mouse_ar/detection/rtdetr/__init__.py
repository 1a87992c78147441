"""RT-DETRv2 in process."""
