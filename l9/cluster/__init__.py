"""Work on a cluster from outside it: send jobs, follow and stop them, and find out what is wrong with a cluster.

client.py   Ray's job server over HTTP, with time-outs and the token      wheels.py  l9 and a person's packages as wheels
submit.py   what travels, and sending it      job.py  what runs on the head: a turn in the queue, then `l9 run`, again after a death
follow.py   a job's lines as they come        doctor.py  what is wrong with a cluster, each finding with its cure
"""
