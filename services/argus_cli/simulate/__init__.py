"""Questions put to the planner and the simulator: options in; tables, plots and pages out."""
