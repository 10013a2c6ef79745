/* ACTORS actors with STEPS steps each that nobody notices: a grid of (STEPS + 1)^ACTORS states. */

active [ACTORS] proctype actor()
{
	byte done = 0;

	do
	:: d_step { done < STEPS -> done++ }
	od
}
