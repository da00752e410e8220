# A Spot host that prints its GPU's name and shuts down.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

module "training_host" {
  source           = "../.."
  name             = "example-host"
  instance_type    = "g5.xlarge"
  instance_profile = "example-ec2-host"
  spot             = { enabled = true }
  root_volume      = { size_gb = 100 }
  lifetime         = { max_minutes = 240, idle_minutes = 20 }
  instance_connect = { enabled = true }

  network = {
    vpc_id       = "vpc-0123456789abcdef0"
    subnet_id    = "subnet-0123456789abcdef0"
    egress_cidrs = ["10.40.0.0/20"]
  }

  user_data = <<-BASH
    #!/bin/bash
    /opt/pytorch/bin/python -c 'import torch; print(torch.cuda.get_device_name())'
    shutdown -P now
  BASH
}
