"""Runs one training job on one machine, as SageMaker would: fetches, trains, uploads, registers.

`python -m runner s3://…/job.json` on an EC2 host, where this folder lies unpacked, or `python -m ml.runner` on the machine
of whoever works here. It needs PyTorch for the training program, and boto3.
"""
