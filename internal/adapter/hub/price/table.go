package price

// Jobs is what machines of jobs cost, as the Hub's public price list of August
// 2026 has it.
func Jobs() []Flavor {
	return append(machines(), []Flavor{
		{Name: "h200", Title: "Nvidia H200", CPU: "23 vCPU", RAM: "256 GB", GPU: "1x H200 (141 GB)", USDPerHour: 5},
		{Name: "h200x2", Title: "2x Nvidia H200", CPU: "46 vCPU", RAM: "512 GB", GPU: "2x H200 (282 GB)", USDPerHour: 10},
		{Name: "h200x4", Title: "4x Nvidia H200", CPU: "92 vCPU", RAM: "1024 GB", GPU: "4x H200 (564 GB)", USDPerHour: 20},
		{Name: "h200x8", Title: "8x Nvidia H200", CPU: "184 vCPU", RAM: "2048 GB", GPU: "8x H200 (1128 GB)", USDPerHour: 40},
		{Name: "rtx-pro-6000", Title: "Nvidia RTX PRO 6000", CPU: "23 vCPU", RAM: "256 GB", GPU: "1x RTX PRO 6000 (96 GB)", USDPerHour: 2.75},
		{Name: "rtx-pro-6000x2", Title: "2x Nvidia RTX PRO 6000", CPU: "46 vCPU", RAM: "512 GB", GPU: "2x RTX PRO 6000 (192 GB)", USDPerHour: 5.5},
		{Name: "rtx-pro-6000x4", Title: "4x Nvidia RTX PRO 6000", CPU: "92 vCPU", RAM: "1024 GB", GPU: "4x RTX PRO 6000 (384 GB)", USDPerHour: 11},
		{Name: "rtx-pro-6000x8", Title: "8x Nvidia RTX PRO 6000", CPU: "184 vCPU", RAM: "2048 GB", GPU: "8x RTX PRO 6000 (768 GB)", USDPerHour: 22},
		{Name: "inf2x6", Title: "Inferentia2", GPU: "6x Inferentia2", USDPerHour: 6},
	}...)
}

// Spaces is what machines of Spaces cost, from the same list; cpu-basic is
// free.
func Spaces() []Flavor {
	all := machines()
	all[0].USDPerHour = 0
	return all
}

// machines are those that jobs and Spaces share, cpu-basic first.
func machines() []Flavor {
	return []Flavor{
		{Name: "cpu-basic", Title: "CPU Basic", CPU: "2 vCPU", RAM: "16 GB", Disk: "50 GB", USDPerHour: 0.01},
		{Name: "cpu-upgrade", Title: "CPU Upgrade", CPU: "8 vCPU", RAM: "32 GB", Disk: "50 GB", USDPerHour: 0.03},
		{Name: "cpu-xl", Title: "CPU XL", CPU: "16 vCPU", RAM: "124 GB", Disk: "1000 GB", USDPerHour: 1},
		{Name: "cpu-performance", Title: "CPU Performance", CPU: "32 vCPU", RAM: "256 GB", Disk: "1024 GB", USDPerHour: 1.9},
		{Name: "t4-small", Title: "Nvidia T4 small", CPU: "4 vCPU", RAM: "15 GB", Disk: "50 GB", GPU: "1x T4 (16 GB)", USDPerHour: 0.4},
		{Name: "t4-medium", Title: "Nvidia T4 medium", CPU: "8 vCPU", RAM: "30 GB", Disk: "100 GB", GPU: "1x T4 (16 GB)", USDPerHour: 0.6},
		{Name: "l4x1", Title: "1x Nvidia L4", CPU: "8 vCPU", RAM: "30 GB", Disk: "400 GB", GPU: "1x L4 (24 GB)", USDPerHour: 0.8},
		{Name: "l4x4", Title: "4x Nvidia L4", CPU: "48 vCPU", RAM: "186 GB", Disk: "3200 GB", GPU: "4x L4 (96 GB)", USDPerHour: 3.8},
		{Name: "l40sx1", Title: "1x Nvidia L40S", CPU: "8 vCPU", RAM: "62 GB", Disk: "380 GB", GPU: "1x L40S (48 GB)", USDPerHour: 1.8},
		{Name: "l40sx4", Title: "4x Nvidia L40S", CPU: "48 vCPU", RAM: "382 GB", Disk: "3200 GB", GPU: "4x L40S (192 GB)", USDPerHour: 8.3},
		{Name: "l40sx8", Title: "8x Nvidia L40S", CPU: "192 vCPU", RAM: "1534 GB", Disk: "6500 GB", GPU: "8x L40S (384 GB)", USDPerHour: 23.5},
		{Name: "a10g-small", Title: "Nvidia A10G small", CPU: "4 vCPU", RAM: "15 GB", Disk: "110 GB", GPU: "1x A10G (24 GB)", USDPerHour: 1},
		{Name: "a10g-large", Title: "Nvidia A10G large", CPU: "12 vCPU", RAM: "46 GB", Disk: "200 GB", GPU: "1x A10G (24 GB)", USDPerHour: 1.5},
		{Name: "a10g-largex2", Title: "2x Nvidia A10G large", CPU: "24 vCPU", RAM: "92 GB", Disk: "1000 GB", GPU: "2x A10G (48 GB)", USDPerHour: 3},
		{Name: "a10g-largex4", Title: "4x Nvidia A10G large", CPU: "48 vCPU", RAM: "184 GB", Disk: "2000 GB", GPU: "4x A10G (96 GB)", USDPerHour: 5},
		{Name: "a100-large", Title: "Nvidia A100 large", CPU: "12 vCPU", RAM: "142 GB", Disk: "1000 GB", GPU: "1x A100 (80 GB)", USDPerHour: 2.5},
		{Name: "a100x4", Title: "4x Nvidia A100", CPU: "48 vCPU", RAM: "568 GB", Disk: "4000 GB", GPU: "4x A100 (320 GB)", USDPerHour: 10},
		{Name: "a100x8", Title: "8x Nvidia A100", CPU: "96 vCPU", RAM: "1136 GB", Disk: "8000 GB", GPU: "8x A100 (640 GB)", USDPerHour: 20},
	}
}
