"""Run one training job on one machine, as SageMaker would: download, train, upload, register.

`python -m runner s3://BUCKET/KEY/job.json` on an EC2 host, where this package is unpacked.
`python -m ml.runner s3://BUCKET/KEY/job.json` on this machine.
Needs boto3, and PyTorch for the training program.
"""
