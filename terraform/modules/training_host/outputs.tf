output "name" {
  description = "Name of the host."
  value       = var.name
}

output "instance_type" {
  description = "EC2 instance type of the host."
  value       = var.instance_type
}

output "instance_id" {
  description = "Id of the instance; EC2 chooses it, so it is known only after the apply."
  value       = aws_instance.this.id
}

output "private_ip" {
  description = "Its address in the VPC."
  value       = aws_instance.this.private_ip
}

output "subnet_id" {
  description = "Id of the subnet that it is in."
  value       = aws_instance.this.subnet_id
}

output "availability_zone" {
  description = "Where it runs."
  value       = aws_instance.this.availability_zone
}

output "image_id" {
  description = "Id of the AMI it was started from."
  value       = aws_instance.this.ami
}

output "image_parameter" {
  description = "SSM parameter that names the AMI."
  value       = local.image_parameter
}

output "architecture" {
  description = "x86_64 or arm64, by the instance type."
  value       = local.architecture
}

output "accelerated" {
  description = "Whether the instance type has a GPU."
  value       = local.accelerated
}

output "security_group_id" {
  description = "Id of the host's security group, for what it has to reach."
  value       = aws_security_group.host.id
}

output "idle_alarm" {
  description = "Name of the alarm that ends an idle host; null without one."
  value       = one(aws_cloudwatch_metric_alarm.idle[*].alarm_name)
}

output "instance_connect_endpoint_id" {
  description = "Id of the Instance Connect Endpoint; null without one."
  value       = one(aws_ec2_instance_connect_endpoint.this[*].id)
}
