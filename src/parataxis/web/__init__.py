"""The page: papers, their claims and evidence, and a run at the press of a button. Needs the extra `web`."""
