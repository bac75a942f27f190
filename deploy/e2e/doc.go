// Package e2e holds plays: Hark as a process of its own, devices that we wrote
// and devices that we did not, skills, and what an audience would see. Each kind
// of actor is a type with Start and Stop; a test is a scene.
package e2e
