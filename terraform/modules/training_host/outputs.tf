output "name" {
  description = "Name of the host."
  value       = var.name
}

output "instance_type" {
  description = "EC2 instance type of the host."
  value       = var.instance_type
}

output "instance_id" {
  description = "ID of the instance, known after the apply."
  value       = aws_instance.this.id
}

output "private_ip" {
  description = "Private IPv4 address of the host."
  value       = aws_instance.this.private_ip
}

output "subnet_id" {
  description = "ID of the host's subnet."
  value       = aws_instance.this.subnet_id
}

output "availability_zone" {
  description = "Availability Zone of the host."
  value       = aws_instance.this.availability_zone
}

output "image_id" {
  description = "ID of the AMI that the host was launched from."
  value       = aws_instance.this.ami
}

output "image_parameter" {
  description = "SSM parameter that holds the ID of the AMI."
  value       = local.image_parameter
}

output "architecture" {
  description = "Architecture of the instance type: x86_64 or arm64."
  value       = local.architecture
}

output "accelerated" {
  description = "Whether the instance type has a GPU."
  value       = local.accelerated
}

output "security_group_id" {
  description = "ID of the host's security group, to allow it elsewhere."
  value       = aws_security_group.host.id
}

output "idle_alarm" {
  description = "Name of the alarm that ends an idle host; null: none."
  value       = one(aws_cloudwatch_metric_alarm.idle[*].alarm_name)
}

output "instance_connect_endpoint_id" {
  description = "ID of the Instance Connect Endpoint; null: none."
  value       = one(aws_ec2_instance_connect_endpoint.this[*].id)
}
