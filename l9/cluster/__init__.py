"""Work on a cluster from outside it: send jobs, follow and stop them, and find out what is wrong with a cluster.

client.py   Ray's job server over HTTP, with time-outs and the token      wheels.py  l9 and a person's packages as wheels
submit.py   what travels, and sending it      job.py  what runs on the head: a turn in the queue, then `l9 run`, again after a death
follow.py   a job's lines as they come        turn.py  the queue on the head
doctor.py   the laptop's half of finding out what is wrong with a cluster      probe.py  the head's half: asks every node
examiner.py what a node is asked, each with a time-out      machine.py shared.py tracking.py  what it measures: itself, the home, MLflow
findings.py facts -> what is wrong, each with its cure: the only place that judges
"""
