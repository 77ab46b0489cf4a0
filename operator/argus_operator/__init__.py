"""The kopf operator: reconciles an ArgusCluster into pods, and runs the control loop."""
